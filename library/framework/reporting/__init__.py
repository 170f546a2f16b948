"""The `report` command: the whole store on one HTML page that opens without a server or a network."""
