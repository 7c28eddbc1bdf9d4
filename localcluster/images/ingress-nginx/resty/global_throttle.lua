return require("resty.absent")("resty.global_throttle", "a global rate limit")
