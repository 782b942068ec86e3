/** Sizes of images and of their patches, in pixels, and the values of a pixel. */
export interface PatchGrid {
  imageSize: readonly [height: number, width: number]
  patchSize: readonly [height: number, width: number]
  colours: number
}

/**
 * An image cut into patches, row by row. What a patch does not cover at the right and lower edge is left out, as a convolution
 * does.
 *
 * @param pixels [colours, height, width]
 * @param patches takes [patches, colours * patch height * patch width], from `offset` on
 */
export function writePatches(
  pixels: ArrayLike<number>,
  { imageSize: [height, width], patchSize: [patchHeight, patchWidth], colours }: PatchGrid,
  patches: Float32Array,
  offset = 0,
): void {
  let to = offset
  for (let top = 0; top + patchHeight <= height; top += patchHeight)
    for (let left = 0; left + patchWidth <= width; left += patchWidth)
      for (let colour = 0; colour < colours; colour++)
        for (let row = 0; row < patchHeight; row++) {
          const from = (colour * height + top + row) * width + left
          for (let column = 0; column < patchWidth; column++) patches[to++] = pixels[from + column]!
        }
}
