"""Model families, quantised loading, adapters and small random checkpoints."""
