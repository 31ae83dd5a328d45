package turnpike

import org.json.JSONObject

/** What the backend found in one frame. */
data class Prediction(
    val frameId: Long,
    val boxes: List<Box>,
    /** Width and height of the frame that the backend saw, in pixels; null if it does not say. */
    val frameSize: Pair<Int, Int>?,
    /** The frame's RTP timestamp; null if the backend does not say. */
    val rtpTimestamp: Long?,
) {
    companion object {
        /** Reads a message of the channel `results`. Throws [org.json.JSONException] if it is none. */
        fun of(message: String): Prediction {
            val prediction = JSONObject(message)
            val boxes = prediction.getJSONArray("boxes")
            val hasSize = prediction.has("width") && prediction.has("height")
            return Prediction(
                frameId = prediction.getLong("frame_id"),
                boxes = List(boxes.length()) { Box.of(boxes.getJSONObject(it)) },
                frameSize = if (hasSize) Pair(prediction.getInt("width"), prediction.getInt("height")) else null,
                rtpTimestamp = if (prediction.has("rtp_timestamp")) prediction.getLong("rtp_timestamp") else null,
            )
        }
    }
}

/** A rectangle in pixels of the frame; [x] and [y] are its upper left corner. */
data class Box(
    val className: String,
    val x: Float,
    val y: Float,
    val width: Float,
    val height: Float,
    /** How sure the backend is, from 0 to 1; null if it does not say. */
    val score: Float?,
) {
    companion object {
        internal fun of(found: JSONObject): Box {
            val box = found.getJSONArray("box")
            return Box(
                className = found.getString("class"),
                x = box.getDouble(0).toFloat(),
                y = box.getDouble(1).toFloat(),
                width = box.getDouble(2).toFloat(),
                height = box.getDouble(3).toFloat(),
                score = if (found.has("score")) found.getDouble("score").toFloat() else null,
            )
        }
    }
}
