-- Weighted round robin, evenly spread: each turn every endpoint gains its weight, the richest is taken and pays the sum
-- of all weights. With the interface that ingress-nginx's balancers use; Debian has no package of lua-resty-balancer.
local roundrobin = {}
roundrobin.__index = roundrobin

function roundrobin.new(_, nodes)
  local self = setmetatable({}, roundrobin)
  self:reinit(nodes)
  return self
end

-- nodes: weight by endpoint
function roundrobin:reinit(nodes)
  self.nodes, self.credit, self.sum = nodes, {}, 0
  for endpoint, weight in pairs(nodes) do
    self.credit[endpoint] = 0
    self.sum = self.sum + weight
  end
end

-- The endpoint whose turn it is; nil when there is none with a weight.
function roundrobin:find()
  local richest
  for endpoint, weight in pairs(self.nodes) do
    local credit = self.credit[endpoint] + weight
    self.credit[endpoint] = credit
    if weight > 0 and (not richest or credit > self.credit[richest]) then
      richest = endpoint
    end
  end
  if richest then
    self.credit[richest] = self.credit[richest] - self.sum
  end
  return richest
end

return roundrobin
