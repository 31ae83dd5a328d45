package turnpike

import java.io.IOException
import java.util.concurrent.TimeUnit
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.suspendCancellableCoroutine
import kotlinx.coroutines.withContext
import okhttp3.Call
import okhttp3.Callback
import okhttp3.HttpUrl.Companion.toHttpUrl
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import org.json.JSONException
import org.json.JSONObject

/** What a client says to the gateway. [gateway] is its address, such as `https://gateway.example.org`. */
class TurnpikeApi(gateway: String, private val key: String, private val userId: String? = null) {
    private val base = gateway.toHttpUrl()
    private val client = OkHttpClient.Builder().callTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).build()

    /** The servers to gather candidates from, with credentials that expire. */
    suspend fun iceServers(): List<IceServer> {
        val url = base.newBuilder().addPathSegments("skin/webrtc/ice-servers")
        userId?.let { url.addQueryParameter("user_id", it) }
        val servers = ask(Request.Builder().url(url.build())).getJSONArray("iceServers")
        return List(servers.length()) { IceServer.of(servers.getJSONObject(it)) }
    }

    /** The SDP of the backend's answer to an offer's SDP. */
    suspend fun answerTo(offer: String): String {
        val url = base.newBuilder().addPathSegments("skin/webrtc/offer").build()
        val body = JSONObject().put("sdp", offer).put("type", "offer")
        userId?.let { body.put("user_id", it) }
        return ask(Request.Builder().url(url).post(body.toString().toRequestBody(JSON))).getString("sdp")
    }

    private suspend fun ask(request: Request.Builder): JSONObject =
        // The body arrives while it is read, which Android forbids on the main thread.
        withContext(Dispatchers.IO) {
            client.newCall(request.header("api-key", key).build()).await().use { response ->
                val text = response.body!!.string()
                if (!response.isSuccessful) {
                    throw GatewayException(response.code, detail(text), response.header("Retry-After")?.toLongOrNull())
                }
                try {
                    JSONObject(text)
                } catch (error: JSONException) {
                    throw IOException("the gateway's answer is no JSON", error)
                }
            }
        }

    private fun detail(text: String): String =
        try {
            JSONObject(text).get("detail").toString()
        } catch (_: JSONException) {
            text
        }

    private companion object {
        /** Longer than the gateway gives its backends. */
        const val PATIENCE_SECONDS = 30L
        val JSON = "application/json".toMediaType()
    }
}

/** A server for ICE, as the gateway names it. */
data class IceServer(val urls: List<String>, val username: String, val credential: String) {
    companion object {
        internal fun of(server: JSONObject): IceServer {
            val urls = server.getJSONArray("urls")
            return IceServer(
                urls = List(urls.length()) { urls.getString(it) },
                username = server.optString("username"),
                credential = server.optString("credential"),
            )
        }
    }
}

/** The gateway says no. The message is for people. */
class GatewayException(
    val status: Int,
    detail: String,
    /** How long the gateway asks to wait, if it says so. */
    val retryAfterSeconds: Long?,
) : IOException(explain(status, detail, retryAfterSeconds)) {
    /** Whether the same request gets the same answer later. */
    val isFinal: Boolean
        get() = status < 500 && status != 429

    private companion object {
        fun explain(status: Int, detail: String, retryAfterSeconds: Long?): String {
            val later = retryAfterSeconds?.let { "; try again in $it s" } ?: ""
            return when (status) {
                401, 403 -> "the gateway does not take this API key ($status): $detail"
                429 -> "too many requests$later"
                503 -> "no room at present: $detail$later"
                else -> "the gateway answered $status: $detail"
            }
        }
    }
}

/** Runs a call on OkHttp's threads. Cancelling the coroutine cancels the call. */
private suspend fun Call.await(): Response =
    suspendCancellableCoroutine { continuation ->
        continuation.invokeOnCancellation { cancel() }
        enqueue(
            object : Callback {
                override fun onResponse(call: Call, response: Response) =
                    continuation.resume(response) { _, unused, _ -> unused.close() }

                override fun onFailure(call: Call, e: IOException) = continuation.resumeWithException(e)
            },
        )
    }
