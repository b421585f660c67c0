/** Draws one picture of the programme. Shared by the worker and by the page's own fallback. */

import type { Layer, Size, SourceName } from './geometry'
import type { Placeholder } from './protocol'

type Context = OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D

const BACKGROUND = '#101418'
const EDGE = 'rgba(255, 255, 255, 0.85)'

export function paint(
  context: Context,
  canvas: Size,
  layers: readonly Layer[],
  pictures: Readonly<Partial<Record<SourceName, CanvasImageSource>>>,
  placeholder: Placeholder,
): void {
  context.fillStyle = layers.length === 1 ? '#000000' : BACKGROUND
  context.fillRect(0, 0, canvas.width, canvas.height)
  if (layers.length === 0) {
    paintPlaceholder(context, canvas, placeholder)
    return
  }
  for (const layer of layers) {
    const picture = pictures[layer.source]
    if (picture) paintLayer(context, layer, picture)
  }
}

function paintLayer(context: Context, { from, to, radius }: Layer, picture: CanvasImageSource): void {
  context.imageSmoothingEnabled = true
  context.imageSmoothingQuality = 'medium'
  if (radius > 0) {
    context.save()
    context.beginPath()
    context.roundRect(to.x, to.y, to.width, to.height, radius)
    context.clip()
  }
  context.drawImage(picture, from.x, from.y, from.width, from.height, to.x, to.y, to.width, to.height)
  if (radius > 0) {
    context.restore()
    context.strokeStyle = EDGE
    context.lineWidth = Math.max(2, Math.round(radius / 6))
    context.beginPath()
    context.roundRect(to.x, to.y, to.width, to.height, radius)
    context.stroke()
  }
}

function paintPlaceholder(context: Context, canvas: Size, { title, subtitle }: Placeholder): void {
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.fillStyle = '#f4f6f8'
  context.font = `600 ${Math.round(canvas.height / 12)}px system-ui, sans-serif`
  context.fillText(title, canvas.width / 2, canvas.height * 0.46, canvas.width * 0.9)
  context.fillStyle = '#a9b4bf'
  context.font = `400 ${Math.round(canvas.height / 27)}px system-ui, sans-serif`
  context.fillText(subtitle, canvas.width / 2, canvas.height * 0.58, canvas.width * 0.9)
}

/** True where sixteen samples over the picture are all next to black: a lens cap, a sleeping projector. */
export function isDark(rgba: Uint8ClampedArray): boolean {
  for (let i = 0; i + 2 < rgba.length; i += 4) {
    if ((rgba[i] ?? 0) + (rgba[i + 1] ?? 0) + (rgba[i + 2] ?? 0) > 48) return false
  }
  return true
}
