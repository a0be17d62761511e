"""The built-in methods: a plug-in package like anyone's. It imports ddbench's interfaces and no codec."""
