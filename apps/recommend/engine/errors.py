"""What the engine raises on purpose."""


class NotEnoughData(Exception):
    """There is too little to learn from. `have` and `need` count `what`, a plural."""

    def __init__(self, what: str, have: int, need: int) -> None:
        self.what, self.have, self.need = what, have, need
        missing = max(need - have, 0)
        verb = "is" if missing == 1 else "are"
        super().__init__(f"needs at least {need:,} {what}; there are {have:,}, so {missing:,} {verb} missing")
