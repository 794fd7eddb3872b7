"""How everything is: processes, nodes, the chain."""
