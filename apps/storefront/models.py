"""What the demo shop remembers about itself."""

from django.db import models


class DemoShop(models.Model):
    """The planted world in this database: enough to plant exactly the same one again."""

    items = models.PositiveIntegerField()
    shoppers = models.PositiveIntegerField()
    events = models.PositiveIntegerField()
    seed = models.PositiveBigIntegerField()
    seen_from = models.BigIntegerField(help_text="The moment the world is seen from, in seconds since 1970.")
    samples = models.JSONField(default=list, help_text="Shoppers one can become: id and planted taste.")
    public_key = models.CharField(max_length=200, blank=True, help_text="The browser's key. Public by nature.")
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.items} products, {self.shoppers} shoppers, {self.events} events, seed {self.seed}"
