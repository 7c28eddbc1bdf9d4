return require("resty.absent")("resty.http", "OCSP stapling")
