"""The configuration: a YAML file and environment variables, checked whole before anything starts."""
