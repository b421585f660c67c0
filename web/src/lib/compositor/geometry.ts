/** Where each source stands in the composed picture. Pure: sizes in, rectangles out, all in pixels of the canvas. */

export const SCENES = ['camera', 'slides', 'side', 'corner'] as const
export type Scene = (typeof SCENES)[number]

export const CORNERS = ['top-left', 'top-right', 'bottom-left', 'bottom-right'] as const
export type Corner = (typeof CORNERS)[number]

export type SourceName = 'camera' | 'slides'

export interface Size {
  width: number
  height: number
}

export interface Rect extends Size {
  x: number
  y: number
}

export interface Layer {
  source: SourceName
  /** The part of the source that is shown. */
  from: Rect
  /** Where it goes. */
  to: Rect
  /** Corner radius; 0 for square corners. */
  radius: number
}

export interface Layout {
  scene: Scene
  corner: Corner
}

/** Share of the width that the slides take side by side: text stays legible, the speaker is more than a stamp. */
const SLIDES_SHARE = 0.68
const MARGIN_SHARE = 0.02
const CORNER_SHARE = 0.24
const SIDE_ASPECT = 4 / 5

/**
 * Layers from bottom to top. `sizes` holds the sources that deliver pictures; a scene that wants one that is missing
 * shows the other in full, and nothing at all is an empty list.
 */
export function compose(layout: Layout, canvas: Size, sizes: Readonly<Partial<Record<SourceName, Size>>>): Layer[] {
  const has = (name: SourceName): Size | null => {
    const size = sizes[name]
    return size && size.width > 0 && size.height > 0 ? size : null
  }
  const camera = has('camera')
  const slides = has('slides')
  const whole: Rect = { x: 0, y: 0, ...canvas }

  if (!camera && !slides) return []
  if (!slides || (layout.scene === 'camera' && camera)) {
    return camera ? [contained('camera', camera, whole)] : []
  }
  if (!camera || layout.scene === 'slides' || layout.scene === 'camera') {
    return [contained('slides', slides, whole)]
  }
  if (layout.scene === 'side') return sideBySide(canvas, camera, slides)
  return [contained('slides', slides, whole), inCorner(layout.corner, canvas, camera)]
}

function sideBySide(canvas: Size, camera: Size, slides: Size): Layer[] {
  const gap = even(canvas.width * MARGIN_SHARE)
  const left: Rect = {
    x: gap,
    y: gap,
    width: even(canvas.width * SLIDES_SHARE),
    height: canvas.height - 2 * gap,
  }
  const slide = contained('slides', slides, left)
  const width = even(canvas.width - left.width - 3 * gap)
  // As tall as the slide beside it, but no narrower than a portrait: a 4:3 slide is taller than the column is wide.
  const height = even(Math.min(slide.to.height, width / SIDE_ASPECT, canvas.height - 2 * gap))
  const box: Rect = {
    x: canvas.width - gap - width,
    y: even((canvas.height - height) / 2),
    width,
    height,
  }
  return [slide, covering('camera', camera, box, 0)]
}

function inCorner(corner: Corner, canvas: Size, camera: Size): Layer {
  const margin = even(canvas.width * MARGIN_SHARE)
  // A camera held upright would be a narrow strip: bound its height as well.
  const aspect = Math.min(Math.max(camera.width / camera.height, 3 / 4), 16 / 9)
  const height = even(Math.min((canvas.width * CORNER_SHARE) / aspect, canvas.height * 0.36))
  const width = even(height * aspect)
  const right = corner === 'top-right' || corner === 'bottom-right'
  const bottom = corner === 'bottom-left' || corner === 'bottom-right'
  const box: Rect = {
    x: right ? canvas.width - margin - width : margin,
    y: bottom ? canvas.height - margin - height : margin,
    width,
    height,
  }
  return covering('camera', camera, box, Math.round(canvas.width / 120))
}

/** The whole source, as large as the box allows, centred: nothing of a slide may be cut. */
export function contained(source: SourceName, size: Size, box: Rect): Layer {
  const scale = Math.min(box.width / size.width, box.height / size.height)
  const width = even(size.width * scale)
  const height = even(size.height * scale)
  return {
    source,
    from: { x: 0, y: 0, ...size },
    to: { x: box.x + even((box.width - width) / 2), y: box.y + even((box.height - height) / 2), width, height },
    radius: 0,
  }
}

/** The middle of the source, filling the box. */
export function covering(source: SourceName, size: Size, box: Rect, radius: number): Layer {
  const scale = Math.max(box.width / size.width, box.height / size.height)
  const width = box.width / scale
  const height = box.height / scale
  return {
    source,
    from: { x: (size.width - width) / 2, y: (size.height - height) / 2, width, height },
    to: box,
    radius,
  }
}

/** Chroma is stored for two pixels at once: odd edges blur. */
function even(value: number): number {
  return Math.round(value / 2) * 2
}
