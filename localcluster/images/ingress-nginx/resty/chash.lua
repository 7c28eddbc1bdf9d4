-- Consistent hashing: endpoints stand at many points of a circle, a key belongs to the next point after its own hash.
-- With the interface that ingress-nginx's balancers use; Debian has no package of lua-resty-balancer.
local chash = {}
chash.__index = chash

local POINTS = 160 -- for a weight of 1

-- Not CRC-32: the points of endpoints with similar names would be shifted copies of each other.
local function hash_of(text)
  local first, second, third, fourth = string.byte(ngx.md5_bin(text), 1, 4)
  return ((first * 256 + second) * 256 + third) * 256 + fourth
end

function chash.new(_, nodes)
  local self = setmetatable({}, chash)
  self:reinit(nodes)
  return self
end

-- nodes: weight by endpoint
function chash:reinit(nodes)
  local circle = {}
  for endpoint, weight in pairs(nodes) do
    for number = 1, POINTS * weight do
      circle[#circle + 1] = { at = hash_of(endpoint .. "#" .. number), endpoint = endpoint }
    end
  end
  table.sort(circle, function(one, other)
    if one.at == other.at then
      return one.endpoint < other.endpoint
    end
    return one.at < other.at
  end)
  self.nodes, self.circle = nodes, circle
end

-- The endpoint that a key belongs to, and the number of its point; nil when there is no endpoint.
function chash:find(key)
  local circle = self.circle
  if #circle == 0 then
    return nil
  end
  local hash = hash_of(tostring(key))
  local first, last = 1, #circle + 1
  while first < last do
    local middle = math.floor((first + last) / 2)
    if circle[middle].at < hash then
      first = middle + 1
    else
      last = middle
    end
  end
  local point = first > #circle and 1 or first
  return circle[point].endpoint, point
end

-- The endpoint of the point after this one.
function chash:next(point)
  local after = point % #self.circle + 1
  return self.circle[after].endpoint, after
end

return chash
