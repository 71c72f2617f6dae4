"""The registry on MLflow: embedded on SQLite, or a team's server."""
