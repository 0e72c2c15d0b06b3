"""DeepSeek-OCR and its descendants: pictures become tokens, a language model writes what they say.

From plain data upwards: `profiles` says what a checkpoint is, `views` and `prompts` what it is shown and
asked, `grammar` what its answer means and `guard` whether it has lost its way. None of these loads torch.
"""
