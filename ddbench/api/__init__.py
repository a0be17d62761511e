"""ddbench from Python: running suites and reading what they gave. `import ddbench` names what is here; torch-free."""
