"""The colours that mean something, the same on the picture, in the legend and in the table."""

# Blue and orange stay apart for every kind of colour vision; doubtful boxes are dashed as well.
CONFIDENT = "#1d5fd0"
DOUBTFUL = "#c2410c"
HALO = "#ffffff"
