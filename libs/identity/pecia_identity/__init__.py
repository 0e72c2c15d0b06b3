"""Who is who: keys and their file, assertions between services, certificates, and the audit log.

Everything here that lies in files is looked at again while the services run: nothing needs a restart.
"""
