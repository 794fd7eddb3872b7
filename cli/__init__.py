"""The command line `tkms`: the front door of every process and of a submitter."""
