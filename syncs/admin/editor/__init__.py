"""The secrets editor: a page of the admin for the daily work on one folder, and the fragments that htmx puts into it.

Everything is posted, so that no name or value of a secret is ever in an address; a value leaves the server only where
a person reveals or exports it, each time told to the audit log.
"""
