module sensorthings.city/portal

go 1.25.0
