"""Random augmentation of training images: its text form, drawing, warping, recolouring and mixing."""
