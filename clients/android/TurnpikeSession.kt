package turnpike

import java.nio.ByteBuffer
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.channels.SendChannel
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.retryWhen
import org.json.JSONException
import org.webrtc.DataChannel
import org.webrtc.IceCandidate
import org.webrtc.MediaStream
import org.webrtc.PeerConnection
import org.webrtc.PeerConnectionFactory
import org.webrtc.SdpObserver
import org.webrtc.SessionDescription
import org.webrtc.VideoTrack

/** Sends a video through the relay to the backend, which answers with predictions. */
class TurnpikeSession(
    private val api: TurnpikeApi,
    private val factory: PeerConnectionFactory,
    private val video: VideoTrack,
) {
    /**
     * One session: collecting begins it, cancelling ends it. Throws [GatewayException], [java.io.IOException] or
     * [SessionException] when it cannot begin or breaks. Whoever collects too slowly gets the newest predictions.
     */
    fun predictions(): Flow<Prediction> =
        callbackFlow {
            val observer = ConnectionObserver { close(SessionException("the path to the backend is broken")) }
            val connection =
                factory.createPeerConnection(relayOnly(api.iceServers()), observer)
                    ?: throw SessionException("this device refuses the ICE servers of the gateway")
            var results: DataChannel? = null
            try {
                // The backend answers on a channel that its client opens, and that must be in the offer.
                results = connection.createDataChannel("results", DataChannel.Init())
                results.registerObserver(ResultsObserver(results, channel))
                connection.addTrack(video)
                await { connection.setLocalDescription(it) }
                observer.gathered.await()
                connection.setRemoteDescription(api.answerTo(offerOf(connection)))
                awaitClose()
            } finally {
                results?.unregisterObserver()
                results?.dispose()
                connection.dispose()
            }
        }.buffer(KEPT_PREDICTIONS, BufferOverflow.DROP_OLDEST).flowOn(Dispatchers.Default)

    /** As [predictions], but when a session breaks, another one follows, after a pause that grows until one works. */
    fun predictionsOfManySessions(): Flow<Prediction> =
        flow {
            var failures = 0
            val sessions =
                predictions().onEach { failures = 0 }.retryWhen { cause, _ ->
                    val isFinal = cause is GatewayException && cause.isFinal
                    if (isFinal || failures == MOST_FAILURES) return@retryWhen false
                    val asked = (cause as? GatewayException)?.retryAfterSeconds
                    delay((asked ?: (1L shl failures)).seconds)
                    failures += 1
                    true
                }
            emitAll(sessions)
        }

    private fun relayOnly(servers: List<IceServer>): PeerConnection.RTCConfiguration {
        val iceServers =
            servers.map {
                PeerConnection.IceServer
                    .builder(it.urls)
                    .setUsername(it.username)
                    .setPassword(it.credential)
                    .createIceServer()
            }
        return PeerConnection.RTCConfiguration(iceServers).apply {
            iceTransportsType = PeerConnection.IceTransportsType.RELAY
            sdpSemantics = PeerConnection.SdpSemantics.UNIFIED_PLAN
            // Else gathering never completes.
            continualGatheringPolicy = PeerConnection.ContinualGatheringPolicy.GATHER_ONCE
        }
    }

    /** The offer with all its candidates. */
    private fun offerOf(connection: PeerConnection): String {
        val offer = connection.localDescription.description
        if ("a=candidate:" !in offer) throw SessionException("the relay cannot be reached, or refuses the credentials")
        return offer
    }

    private suspend fun PeerConnection.setRemoteDescription(answer: String) = await {
        setRemoteDescription(it, SessionDescription(SessionDescription.Type.ANSWER, answer))
    }

    private companion object {
        /** Two seconds at 30 frames a second. */
        const val KEPT_PREDICTIONS = 60

        /** The last pause takes half a minute. */
        const val MOST_FAILURES = 6
    }
}

/** A session cannot begin, or has ended. */
class SessionException(message: String) : Exception(message)

/** Sends on what arrives by the channel `results`. */
private class ResultsObserver(
    private val results: DataChannel,
    private val predictions: SendChannel<Prediction>,
) : DataChannel.Observer {
    override fun onMessage(buffer: DataChannel.Buffer) {
        try {
            predictions.trySend(Prediction.of(text(buffer.data)))
        } catch (error: JSONException) {
            predictions.close(SessionException("the backend sends what is no prediction: ${error.message}"))
        }
    }

    override fun onStateChange() {
        if (results.state() == DataChannel.State.CLOSED) {
            predictions.close(SessionException("the backend has ended the session"))
        }
    }

    override fun onBufferedAmountChange(previousAmount: Long) = Unit

    private fun text(data: ByteBuffer) = Charsets.UTF_8.decode(data).toString()
}

/** Knows when all candidates are gathered and when the path fails. Called on WebRTC's own thread. */
private class ConnectionObserver(private val onFailed: () -> Unit) : PeerConnection.Observer {
    val gathered = CompletableDeferred<Unit>()

    override fun onIceGatheringChange(newState: PeerConnection.IceGatheringState) {
        if (newState == PeerConnection.IceGatheringState.COMPLETE) gathered.complete(Unit)
    }

    override fun onConnectionChange(newState: PeerConnection.PeerConnectionState) {
        if (newState == PeerConnection.PeerConnectionState.FAILED) onFailed()
    }

    override fun onSignalingChange(newState: PeerConnection.SignalingState) = Unit

    override fun onIceConnectionChange(newState: PeerConnection.IceConnectionState) = Unit

    override fun onIceConnectionReceivingChange(receiving: Boolean) = Unit

    override fun onIceCandidate(candidate: IceCandidate) = Unit

    override fun onIceCandidatesRemoved(candidates: Array<out IceCandidate>) = Unit

    override fun onAddStream(stream: MediaStream) = Unit

    override fun onRemoveStream(stream: MediaStream) = Unit

    override fun onDataChannel(dataChannel: DataChannel) = Unit

    override fun onRenegotiationNeeded() = Unit
}

/** Waits until a description is set. */
private suspend fun await(set: (SdpObserver) -> Unit) {
    val isSet = CompletableDeferred<Unit>()
    set(
        object : SdpObserver {
            override fun onSetSuccess() {
                isSet.complete(Unit)
            }

            override fun onSetFailure(error: String) {
                isSet.completeExceptionally(SessionException("offer and answer do not fit together: $error"))
            }

            override fun onCreateSuccess(description: SessionDescription) = Unit

            override fun onCreateFailure(error: String) = Unit
        },
    )
    isSet.await()
}
