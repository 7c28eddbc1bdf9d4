-- A lock in a shared dictionary that is tried once and not waited for, which is how ingress-nginx's EWMA balancer asks
-- for it (timeout 0). Debian has no package of lua-resty-lock.
local lock = {}
lock.__index = lock

function lock.new(_, dictionary, options)
  local shared = ngx.shared[dictionary]
  if not shared then
    return nil, "there is no shared dictionary " .. dictionary
  end
  return setmetatable({ shared = shared, seconds = options.exptime }, lock)
end

-- 0, the seconds waited; or nil and "timeout" when somebody else holds it.
function lock:lock(key)
  local taken, problem = self.shared:add(key, true, self.seconds)
  if taken then
    self.key = key
    return 0
  end
  return nil, problem == "exists" and "timeout" or problem
end

function lock:unlock()
  if not self.key then
    return nil, "unlocked"
  end
  self.shared:delete(self.key)
  self.key = nil
  return 1
end

return lock
