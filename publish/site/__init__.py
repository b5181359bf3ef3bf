"""The static site: every SOP with its receipts, as files that any web server, IPFS or a folder can hold."""
