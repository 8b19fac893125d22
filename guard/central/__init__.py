"""The control plane: projects, keys, stages, policies and where they are in force, for many proxies and apps."""
