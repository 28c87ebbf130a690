"""Log files to events: every form that audit logs come in, and nothing of them dropped."""
