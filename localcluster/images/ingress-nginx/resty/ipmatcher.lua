return require("resty.absent")("resty.ipmatcher", "a global rate limit")
