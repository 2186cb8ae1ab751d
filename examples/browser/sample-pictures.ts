import { platform } from "graft-peft";

type Draw = (context: OffscreenCanvasRenderingContext2D, x: number, y: number, radius: number) => void;

const shapes: Readonly<Record<string, Draw>> = {
  circle: (context, x, y, radius) => context.arc(x, y, radius, 0, 2 * Math.PI),
  square: (context, x, y, radius) => context.rect(x - radius, y - radius, 2 * radius, 2 * radius),
  triangle: (context, x, y, radius) => {
    context.moveTo(x, y - radius);
    context.lineTo(x + radius, y + radius);
    context.lineTo(x - radius, y + radius);
  },
};

/** Draws white shapes on black, of different sizes and in different places, as PNG files below `folder`. */
export async function drawSamplePictures(folder: string, picturesPerClass: number): Promise<void> {
  const canvas = new OffscreenCanvas(56, 56);
  const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
  for (const [name, draw] of Object.entries(shapes)) {
    for (let i = 0; i < picturesPerClass; i++) {
      context.fillStyle = "black";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.fillStyle = "white";
      context.beginPath();
      draw(context, 24 + ((5 * i) % 9), 24 + ((7 * i) % 9), 10 + ((3 * i) % 10));
      context.fill();
      platform.mountFile(`${folder}/${name}/${i}.png`, await canvas.convertToBlob());
    }
  }
}
