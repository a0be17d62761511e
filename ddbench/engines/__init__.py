"""The built-in engines: this process, or one subprocess a device slot."""
