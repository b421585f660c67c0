import { describe, expect, it } from 'vitest'
import { compose, CORNERS, type Layer, type Rect, SCENES } from './geometry'
import { FrameGrid } from './pace'

const HD = { width: 1920, height: 1080 }
const camera = { width: 1280, height: 720 }
const slides = { width: 1920, height: 1200 }
const layout = (scene: (typeof SCENES)[number]) => ({ scene, corner: 'bottom-right' as const })

const inside = (box: Rect, outer: Rect) =>
  box.x >= outer.x &&
  box.y >= outer.y &&
  box.x + box.width <= outer.x + outer.width &&
  box.y + box.height <= outer.y + outer.height
const aspect = (rect: { width: number; height: number }) => rect.width / rect.height
const overlap = (a: Rect, b: Rect) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height

describe('a scene', () => {
  it('never leaves the canvas, never stretches and never shows what a source does not have', () => {
    const shapes = [
      camera,
      slides,
      { width: 720, height: 1280 },
      { width: 640, height: 480 },
      { width: 3440, height: 1440 },
    ]
    for (const scene of SCENES)
      for (const corner of CORNERS)
        for (const first of shapes)
          for (const second of shapes) {
            for (const layer of compose({ scene, corner }, HD, { camera: first, slides: second })) {
              const size = layer.source === 'camera' ? first : second
              expect(inside(layer.to, { x: 0, y: 0, ...HD })).toBe(true)
              expect(
                inside(layer.from, { x: -0.01, y: -0.01, width: size.width + 0.02, height: size.height + 0.02 }),
              ).toBe(true)
              expect(aspect(layer.from) / aspect(layer.to)).toBeCloseTo(1, 1)
            }
          }
  })

  it('fills the picture with a camera of its shape', () => {
    expect(compose(layout('camera'), HD, { camera, slides })).toEqual<Layer[]>([
      { source: 'camera', from: { x: 0, y: 0, ...camera }, to: { x: 0, y: 0, ...HD }, radius: 0 },
    ])
  })

  it('shows slides whole, with bars beside a 16:10 screen', () => {
    const [layer] = compose(layout('slides'), HD, { slides })
    expect(layer?.from).toEqual({ x: 0, y: 0, ...slides })
    expect(layer?.to).toEqual({ x: 96, y: 0, width: 1728, height: 1080 })
  })

  it('sets slides and camera side by side without overlap', () => {
    const [left, right] = compose(layout('side'), HD, { camera, slides })
    expect([left?.source, right?.source]).toEqual(['slides', 'camera'])
    expect(overlap((left as Layer).to, (right as Layer).to)).toBe(false)
    expect((left as Layer).to.width).toBeGreaterThan(1200)
  })

  it('puts the camera into the corner that was chosen, over the slides', () => {
    for (const corner of CORNERS) {
      const layers = compose({ scene: 'corner', corner }, HD, { camera, slides })
      expect(layers.map((layer) => layer.source)).toEqual(['slides', 'camera'])
      const to = (layers[1] as Layer).to
      expect(to.x > HD.width / 2).toBe(corner.endsWith('right'))
      expect(to.y > HD.height / 2).toBe(corner.startsWith('bottom'))
    }
  })

  it('falls back on what there is', () => {
    for (const scene of SCENES) {
      expect(compose(layout(scene), HD, { camera }).map((layer) => layer.source)).toEqual(['camera'])
      expect(compose(layout(scene), HD, { slides }).map((layer) => layer.source)).toEqual(['slides'])
      expect(compose(layout(scene), HD, {})).toEqual([])
    }
  })
})

describe('the frame grid', () => {
  it('gives evenly spaced timestamps from a timer that jitters', () => {
    const grid = new FrameGrid(30)
    const stamps: number[] = []
    for (let ms = 0; ms < 1000; ms += 7) {
      const stamp = grid.due(5000 + ms + (ms % 3))
      if (stamp !== null) stamps.push(stamp)
    }
    expect(stamps).toHaveLength(30)
    stamps.slice(1).forEach((stamp, i) => expect(stamp - (stamps[i] as number)).toBeCloseTo(33_333, -1))
  })

  it('skips what a late timer missed instead of catching up in a burst', () => {
    const grid = new FrameGrid(30)
    grid.due(0)
    grid.due(34)
    expect(grid.due(1000)).toBe(1_000_000)
    expect(grid.due(1001)).toBeNull()
    expect(grid.skipped).toBe(28)
    expect(grid.wait(1001)).toBeGreaterThan(0)
  })
})
