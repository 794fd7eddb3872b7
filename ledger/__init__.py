"""What any chain needs: store, state tree, branches of state, modules; accounts and configuration."""
