"""Every service of pecia as child processes of one, for one machine.

`services` says what runs, `child` runs one of them on a `leash`, `supervisor` keeps them all
running, `probes` and `sample` say whether they do, and `screen` tells the person who started it.
"""
