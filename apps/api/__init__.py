"""What every app's HTTP doors share: problem documents, pages, fields, body parsing. No models."""
