"""Pages over finished runs and kept models: `benchmark serve RUN_DIR…`."""
