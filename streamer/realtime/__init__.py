"""Socket.IO: namespaces, message schemas, event logs and bounded delivery. ``protocol.md`` is the contract."""
