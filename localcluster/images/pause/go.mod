module sensorthings.city/localcluster/images/pause

go 1.26
