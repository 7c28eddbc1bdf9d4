"""The JDBC driver with which FROST-Server acknowledges only what was committed, in Java; packed for the operator."""
