"""What a batch left, to look at: a gallery for the browser, a sheet for print."""
