"""What a process says about itself to its operator: numbers, health, and where to read them."""
