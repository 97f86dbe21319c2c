"""`manage.py benchmark serving`: what serving costs over HTTP, beside plain views on the same server, in turn."""
