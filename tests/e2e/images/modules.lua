-- What the Lua modules in the ingress-nginx image do, as JSON; test_ingress_nginx.py says what it should be.
local cjson = require("cjson")
local chash, lock, roundrobin = require("resty.chash"), require("resty.lock"), require("resty.roundrobin")
local told = { turns = {}, owners = {}, moved = 0, loaded = {} }

for _, name in ipairs({ "balancer", "certificate", "configuration", "global_throttle", "lua_ingress", "monitor", "plugins",
    "balancer.chash", "balancer.chashsubset", "balancer.ewma", "balancer.round_robin", "balancer.sticky_balanced",
    "balancer.sticky_persistent", "resty.cookie", "resty.dns.resolver", "resty.lrucache", "util.dns" }) do
  local loaded, problem = pcall(require, name)
  told.loaded[name] = loaded and "loaded" or problem
end

local turns = roundrobin:new({ one = 1, three = 3, none = 0 })
for _ = 1, 8 do
  table.insert(told.turns, turns:find())
end
told.nobody = roundrobin:new({}):find() or "nobody"

local all, fewer = chash:new({ a = 1, b = 1, c = 1 }), chash:new({ a = 1, b = 1 })
for key = 1, 3000 do
  local before, after = all:find(key), fewer:find(key)
  told.owners[before] = (told.owners[before] or 0) + 1
  if before ~= "c" and before ~= after then
    told.moved = told.moved + 1
  end
end
all:reinit({ a = 1, b = 1 })
told.reinitialised = all:find("key") == fewer:find("key")
local _, point = fewer:find("key")
told.next = fewer:next(point) ~= nil

local first, second = lock:new("locks", { timeout = 0, exptime = 5 }), lock:new("locks", { timeout = 0, exptime = 5 })
told.locked = first:lock("key")
told.refused = select(2, second:lock("key"))
told.unlocked = first:unlock()
told.then_locked = second:lock("key")
second:unlock()
told.unlocked_twice = select(2, first:unlock())
told.no_dictionary = select(2, lock:new("nowhere", {}))

told.absent = select(2, pcall(function() return require("resty.http").new() end))
ngx.say(cjson.encode(told))
