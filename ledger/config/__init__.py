"""The Config contract: parties, epochs, thresholds, prices, parameters, roles, scheduled changes."""
