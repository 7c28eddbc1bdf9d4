-- Stands in for a module that is not in this image: it can be loaded, and says so when it is used.
return function(module, feature)
  return setmetatable({}, {
    __index = function()
      error(module .. " is not in this image: " .. feature .. " cannot be used", 2)
    end,
  })
end
