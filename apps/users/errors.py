"""What more than one part of this app raises."""


class UnknownUser(LookupError):
    """No user has this id; the message is the id."""
