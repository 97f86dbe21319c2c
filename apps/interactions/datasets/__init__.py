"""Public data sets in their published forms: one file each. `registry.DATASETS` finds them."""
