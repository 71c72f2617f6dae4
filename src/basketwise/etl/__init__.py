"""The way of the data from raw files to gold features: sources, reading, cleaning, silver, gold."""
