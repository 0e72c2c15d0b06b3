"""Folders with models: what may be in them, which files these are, and who vouches for them.

A signature is a file `model.sig` as OpenSSF Model Signing writes it with a key of its own: a sigstore bundle
around a DSSE envelope around an in-toto statement that lists every file with its sha256. Nothing is asked
over a network. `python -m pecia_models sign|verify` makes and checks one.

`listing` and `signature` say which files there should be, `folder` what there is, and `checking` compares.
"""
