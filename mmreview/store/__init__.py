"""The project's database: SQLite below, the domain's frozen values above. Rows never leave it."""
