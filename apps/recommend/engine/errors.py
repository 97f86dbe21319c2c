"""What the engine raises on purpose."""


class NotEnoughData(Exception):
    """There is too little to learn from. `have` and `need` count `what`."""

    def __init__(self, what: str, have: int, need: int) -> None:
        self.what, self.have, self.need = what, have, need
        super().__init__(
            f"needs {what}; there are none"
            if need == 1
            else f"needs at least {need:,} {what}; there are {have:,}, so {max(need - have, 0):,} are missing"
        )
