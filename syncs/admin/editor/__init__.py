"""The secrets editor: a page of the admin for the daily work on one folder, and the fragments that htmx loads into it.

Every request that names a secret is a POST, so that no name or value of a secret is ever part of a URL. A value leaves
the server only when a person reveals or exports it, and each time this is recorded in the audit log.
"""
