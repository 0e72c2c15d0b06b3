"""Every service of pecia as child processes of one, for one machine."""
