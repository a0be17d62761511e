"""From a suite to cells: plug-ins looked up, arguments spelled out, pairs checked, bytes planned."""
